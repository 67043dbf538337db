"""What both sides of the process boundary share: messages, bus, manifests, scenarios, settings, errors."""
