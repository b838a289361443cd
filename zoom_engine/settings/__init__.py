"""What a user says: settings, attributes, presets. No torch, and nothing that takes seconds to import."""
