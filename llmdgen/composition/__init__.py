"""What a path may add to a plan, and how the contributions of several paths become one."""
