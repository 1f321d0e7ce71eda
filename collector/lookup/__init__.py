"""Facts that traffic does not show, asked of the API by the collector itself: single pods, and the lists that coverage needs, never a
Secret. The one change it makes takes the startup taint off nodes."""
