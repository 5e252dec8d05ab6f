"""Audio files, plots and listening pages of NoteSequences and recordings."""
