# The containers that the host declares.
{
  page.serviceConfig.serviceConfig.TasksMax = 200;
}
