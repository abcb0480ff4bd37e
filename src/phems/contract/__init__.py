"""Types that cross the wall between the control plane and project code. Standard library only."""
