"""What the program is made of: its bill of materials, licences, and known vulnerabilities."""
