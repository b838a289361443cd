"""The user's choices: settings, attributes, presets. No torch, and nothing that takes seconds to import."""
