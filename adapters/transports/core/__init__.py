"""CAQH CORE connectivity vC2.2.0: envelopes over SOAP and HTTP MIME multipart, as their sender and as their receiver."""
