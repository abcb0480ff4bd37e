"""What a release package is made and read with: DSSE envelopes, the page for people, folders of packages."""
