"""`dripline up --demo`: a made-up site whose visitors behave like those of a real one."""
