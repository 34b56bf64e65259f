"""The route of LiveKit."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fluxer.requests import read_body
from voice import webhooks


class LiveKitWebhookView(APIView):
    """Where LiveKit tells us what happens in the rooms."""

    authentication_classes = ()
    permission_classes = ()
    body_limit = 256 * 1024
    schema: Any = None

    def post(
        self, request: Request, region_id: str | None = None, server_id: str | None = None
    ) -> Response:
        webhooks.receive(
            body=read_body(request._request, limit=self.body_limit),
            authorization=request.headers.get("Authorization", ""),
            region_id=region_id,
            server_id=server_id,
        )
        return Response({})
