"""What the lease table leaves possible of one client and one address; no frame, no blame."""
