"""Files of any form to flow frames, and flow frames to tables."""
