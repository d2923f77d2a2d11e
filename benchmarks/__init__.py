"""Side-by-side comparisons that anyone can run: see README.md."""
