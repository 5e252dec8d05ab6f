"""From files to arrays: scores, recordings, corpora, codecs and batches."""
