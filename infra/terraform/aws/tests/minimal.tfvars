# The least that an operator must say. The values of secrets are nobody's.
region           = "eu-west-2"
image_tag        = "0.1.0"
stream_prefix    = "contact-centre"
deepgram_api_key = "not-a-key-of-anybody"
link_secret      = "not-a-secret-0123456789-0123456789"
