"""How the embedded domains are trained, measured and carded; not part of the installed program."""
