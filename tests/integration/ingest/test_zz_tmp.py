import pytest
def test_x(aws, stack):
    import botocore.session, os
    print(aws, stack.session_requests_url, {k:v for k,v in os.environ.items() if 'ENDPOINT' in k})
    c=botocore.session.get_session().create_client('sqs')
    print(c.meta.endpoint_url)
    assert 0
