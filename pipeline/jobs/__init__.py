"""Jobs: who is next (`scheduler`), what lasts (`store`), who works (`worker`, `child`), and who watches (`feed`)."""
