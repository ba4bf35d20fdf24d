"""Tables, figures and one page for readers."""
