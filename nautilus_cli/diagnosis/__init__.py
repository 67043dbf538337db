"""What `nautilus doctor` looks at: facts of the machine and of the installation, judged one by one."""
