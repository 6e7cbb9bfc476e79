"""Real clients and servers on links of their own: started, disturbed, recorded, judged."""
