"""Everything that is remembered: channels, profiles, keys, traces and what they cost."""
