# Empty: the modules are evaluated with as little of NixOS as they can be.
{ }
