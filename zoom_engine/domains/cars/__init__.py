"""The cars: five kinds of drawn cars whose truth is known."""
