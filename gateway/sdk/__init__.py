"""The newer shapes of the dialect, as the official SDK asks and reads them: documents, and how they meet the older ones."""
