"""Things people wear, sit in and hold, as meshes in metres, drawn together with the body."""
