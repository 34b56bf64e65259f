"""The service's own addresses, and a few that show what every request passes."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fluxer import urls
from fluxer.authentication import IsService, ServiceAuthentication
from fluxer.directory.models import User


class Whoami(APIView):
    def get(self, request: Request) -> Response:
        claims: Any = request.auth
        return Response({"user": str(request.user.pk), "session": claims.session})


class Limited(Whoami):
    throttle_scope = "token"

    def post(self, request: Request) -> Response:
        raise RuntimeError("this is never told")


class Echo(APIView):
    def post(self, request: Request) -> Response:
        return Response({"data": request.data})


class Small(Echo):
    body_limit = 100


class Deaf(APIView):
    """Never looks at the body."""

    def post(self, request: Request) -> Response:
        return Response({})


class Broken(APIView):
    def get(self, request: Request) -> Response:
        raise RuntimeError("the password is hunter2")


class Back(APIView):
    authentication_classes = (ServiceAuthentication,)
    permission_classes = (IsService,)

    def get(self, request: Request) -> Response:
        return Response({"caller": str(request.user)})


def bare(request: HttpRequest) -> HttpResponse:
    """No DRF here: what it raises only Django sees."""
    match request.GET.get("how"):
        case "raise":
            raise RuntimeError("the password is hunter2")
        case "status":
            return HttpResponse("<h1>No</h1>", status=int(request.GET["status"]))
        case _:
            return HttpResponse(str(User.objects.count()))


urlpatterns: list[Any] = [
    path("test/whoami", Whoami.as_view()),
    path("test/limited", Limited.as_view()),
    path("test/echo", Echo.as_view()),
    path("test/small", Small.as_view()),
    path("test/deaf", Deaf.as_view()),
    path("test/broken", Broken.as_view()),
    path("test/back", Back.as_view()),
    path("test/bare", bare),
    *urls.urlpatterns,
]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500
