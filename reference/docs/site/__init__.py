"""What the site needs beside its pages: navigation, pictures, a look at what was built; no text."""
