"""Photo-real heads whose every attribute is a parameter, rendered by a tool that the package never imports."""
