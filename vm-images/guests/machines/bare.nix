# The smallest guest that boots: network, names, journal, a message bus to be entered through.
{
  name = "bare";
}
