# The containers that the lab's host declares. Which of them a scenario finds deployed is up to its
# layer; all of them are declared from the start, and one that was never deployed is no failed unit.
{
  # Deployed in the lab's deployed layer.
  web = { };
  a-container-with-a-long-name = { };

  # Free for scenarios.
  bare = { };
  prod = { };

  # Shares the network of the host.
  hostnet.nspawnConfig.networkConfig.VirtualEthernet = false;

  # Deployed by a group that may nothing else.
  team.deployGroup = "deployers";
}
