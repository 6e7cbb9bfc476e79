"""The profile of a client by measurement; what profiles are is in model/clients/."""
