"""The demo's door; where there is no demo, there is nothing at its address."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from fluxer.fields import SnowflakeField
from voice import demo_sessions
from voice.viewsets.requests import parsed


class _Who(Serializer):
    user_id = SnowflakeField()


class DemoSessionView(APIView):
    """`POST /demo/session`: a caller's token for one of the demo's people."""

    authentication_classes = ()
    permission_classes = ()
    schema: Any = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Before anything else of the request is looked at."""
        demo_sessions.require_demo()
        super().initial(request, *args, **kwargs)

    def post(self, request: Request) -> Response:
        return Response(demo_sessions.begin(parsed(_Who, request.data)["user_id"]))
