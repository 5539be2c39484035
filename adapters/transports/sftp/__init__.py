"""Files over SFTP: uploaded whole or not at all, collected when they are whole and still."""
