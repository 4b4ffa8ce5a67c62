"""A level compiled: its texts as a trie, the walk in it and the way back."""
