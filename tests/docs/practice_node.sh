# The node of the roles' tutorials: what their readers type in a first terminal, which stays open.
.venv/bin/phems demo --practise --folder ~/saint-alder
