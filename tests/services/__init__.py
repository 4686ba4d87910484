"""Real servers for tests: MariaDB, the app itself, Chromium, and tools from npm. Each is started on a free port."""
