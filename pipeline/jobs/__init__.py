"""Jobs: who is next (`scheduler`), what lasts (`store`), who works (`worker`, `child`), who watches (`feed`), and who
brings them together (`dispatcher`, `foreman`, `endings`)."""
