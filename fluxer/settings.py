"""Every setting, read from the environment (or `*_FILE`); what is missing fails in a sentence."""

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

from fluxer import addresses

BASE_DIR = Path(__file__).resolve().parent.parent


class _Files(FileAwareMapping):
    """`NAME_FILE` for `NAME`, without the newline that editors and `echo` put at its end."""

    def __getitem__(self, key: str) -> str:
        try:
            return str(super().__getitem__(key)).strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{key}_FILE cannot be read: {error.strerror}.") from None


class _Env(environ.FileAwareEnv):
    ENVIRON = _Files()


env = _Env()
env.read_env(BASE_DIR / ".env", overwrite=False)


def _required(name: str, hint: str) -> str:
    value = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: {hint}")
    return value


def _list(name: str, default: str = "") -> list[str]:
    parts = (env.str(name, default="") or default).split(",")
    return [part.strip() for part in parts if part.strip()]


def _number(name: str, default: float, *, least: float, most: float, whole: bool = True) -> Any:
    text = env.str(name, default="")
    try:
        value: float = (int if whole else float)(text) if text else default
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise ImproperlyConfigured(f"{name} must be {kind} from {least:g} to {most:.0f}.")
    return value


def _seconds(name: str, default: float, *, least: float = 1) -> float:
    seconds: float = _number(name, default, least=least, most=86400, whole=False)
    return seconds


_ON = {"1", "true", "yes", "on", "y", "t", "ok"}
_OFF = {"0", "false", "no", "off", "n", "f"}


def _switch(name: str) -> bool:
    text = env.str(name, default="").lower()
    if text not in {"", *_OFF, *_ON}:
        raise ImproperlyConfigured(f"{name} must be 1 or 0.")
    return text in _ON


def _one_of(name: str, *known: str) -> str:
    text = env.str(name, default="") or known[0]
    if text.lower() not in known:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(known)}.")
    return text.lower()


# --- The process -------------------------------------------------------------------------------
DEBUG = False
SECRET_KEY = _required("DJANGO_SECRET_KEY", "give it 50 random characters.")
ALLOWED_HOSTS = addresses.hosts("ALLOWED_HOSTS", _list("ALLOWED_HOSTS", "127.0.0.1,localhost"))
CSRF_TRUSTED_ORIGINS = addresses.trusted_origins(
    "CSRF_TRUSTED_ORIGINS", _list("CSRF_TRUSTED_ORIGINS")
)
CORS_ALLOWED_ORIGINS = addresses.origins("CORS_ALLOWED_ORIGINS", _list("CORS_ALLOWED_ORIGINS"))
CORS_ALLOW_HEADERS = [
    "accept", "authorization", "content-type", "x-request-id", "x-audit-log-reason",
]  # fmt: skip
CORS_EXPOSE_HEADERS = ["X-Request-ID", "Retry-After"]
CORS_PREFLIGHT_MAX_AGE = 3600
TRUSTED_PROXIES = _number("TRUSTED_PROXIES", 0, least=0, most=100)
PORT = _number("PORT", 8000, least=1, most=65535)
LOG_LEVEL = _one_of("LOG_LEVEL", "info", "debug", "warning", "error", "critical").upper()
LOG_FORMAT = _one_of("LOG_FORMAT", "line", "json")

INSTALLED_APPS = [
    "fluxer.staff.apps.StaffConfig",  # django.contrib.admin, with a limit on signing in
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "fluxer",
    "fluxer.directory",
    "regions",
    "voice",
]
MIDDLEWARE = [
    "fluxer.requests.RequestMiddleware",
    "fluxer.policy.PolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    # For /admin/ only. They are lazy: an API view never looks at the session or at its user.
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "fluxer.urls"
WSGI_APPLICATION = "fluxer.wsgi.application"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
# The image collects and compresses; without STATIC_ROOT they come straight out of the packages.
STATIC_ROOT = env.str("STATIC_ROOT", default="") or None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# --- Security of what browsers see -------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
LOGIN_REDIRECT_URL = "admin:index"
_HTTPS = _switch("HTTPS_ONLY")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _HTTPS
SECURE_HSTS_SECONDS = 31536000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", r"^webhooks/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None

# --- PostgreSQL: the truth ---------------------------------------------------------------------
_DATABASE = addresses.postgresql(
    "DATABASE_URL", _required("DATABASE_URL", "postgres://user:password@host:5432/name")
)
DATABASES = {"default": _DATABASE}
_DATABASE["ATOMIC_REQUESTS"] = False
_DATABASE["CONN_HEALTH_CHECKS"] = True
_DATABASE["DISABLE_SERVER_SIDE_CURSORS"] = True
_STATEMENT_SECONDS = _number("DATABASE_STATEMENT_TIMEOUT", 5, least=0, most=86400)
_POOL_SIZE = _number("DATABASE_POOL_SIZE", 16, least=0, most=1000)
_DATABASE.setdefault("OPTIONS", {}).update(
    {
        # A frozen holder must not stop its room: a timeout is a 503 with Retry-After.
        "options": f"-c lock_timeout=2000 -c statement_timeout={_STATEMENT_SECONDS}s"
        " -c idle_in_transaction_session_timeout=10000 -c jit=off",
        "connect_timeout": 3,
        # A host that went without a word is given up, and the request answered with 503.
        "keepalives_idle": 3,
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 7000,
        "server_side_binding": True,
        "prepare_threshold": 2,
    }
)
if _POOL_SIZE > 0:
    _DATABASE["CONN_MAX_AGE"] = 0
    _DATABASE["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": _POOL_SIZE,
        "timeout": 3,
        "max_idle": 60,
        "reconnect_timeout": 2,
    }
else:
    _DATABASE["CONN_MAX_AGE"] = None

# --- Redis and Celery: only faster clocks ------------------------------------------------------
REDIS_URL = addresses.of_redis("REDIS_URL", _required("REDIS_URL", "redis://host:6379/0"))
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": 0.3,
            "SOCKET_TIMEOUT": 0.3,
            "CONNECTION_POOL_KWARGS": {"max_connections": 64},
        },
    },
}
CELERY_BROKER_URL = addresses.broker(
    "CELERY_BROKER_URL", env.str("CELERY_BROKER_URL", default="") or REDIS_URL
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for ever, rather than end after an hour
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 5,
    "socket_keepalive": True,
    "visibility_timeout": 3600,
    "global_keyprefix": "fluxer:",
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
# No time limits: Celery cannot stop a thread. What a task waits for has a deadline of its own: a
# connection, a lock, a statement (above), a call to LiveKit, the calls of a sweep or a settling.
CELERY_TASK_DEFAULT_QUEUE = "now"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TIMEZONE = "UTC"

# --- Who is calling ----------------------------------------------------------------------------
FIELD_KEYS = _list("FIELD_KEYS")
FLUXER_AUTH_JWT_KEY = env.str("FLUXER_AUTH_JWT_KEY", default="")
FLUXER_AUTH_JWKS_URL = env.str("FLUXER_AUTH_JWKS_URL", default="")
FLUXER_AUTH_ISSUER = env.str("FLUXER_AUTH_ISSUER", default="")
FLUXER_AUTH_AUDIENCE = env.str("FLUXER_AUTH_AUDIENCE", default="")
FLUXER_SERVICE_TOKEN = _list("FLUXER_SERVICE_TOKEN")
FLUXER_DEMO = _switch("FLUXER_DEMO")
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- Voice -------------------------------------------------------------------------------------
VOICE_TOKEN_TTL = _seconds("VOICE_TOKEN_TTL", 60)
VOICE_TOKEN_LEEWAY = 60  # seconds for which LiveKit still takes an expired token
VOICE_PIN_TIMEOUT = _seconds("VOICE_PIN_TIMEOUT", 60)
VOICE_DEFAULT_REGION = env.str("VOICE_DEFAULT_REGION", default="")
VOICE_SWEEP_INTERVAL = _seconds("VOICE_SWEEP_INTERVAL", 10)
VOICE_GHOST_GRACE = _seconds("VOICE_GHOST_GRACE", 10)
VOICE_RETURN_WINDOW = _seconds("VOICE_RETURN_WINDOW", 60)
VOICE_DOWN_GRACE = _seconds("VOICE_DOWN_GRACE", 120)
VOICE_ROOM_WARM = _seconds("VOICE_ROOM_WARM", 10, least=0)
VOICE_PROBE_INTERVAL = _seconds("VOICE_PROBE_INTERVAL", 10)
LIVEKIT_TIMEOUT = _seconds("LIVEKIT_TIMEOUT", 3, least=0.1)
LIVEKIT_ALLOWED_HOSTS = _list("LIVEKIT_ALLOWED_HOSTS")

# Requests of one user per 10 seconds; 0 lets everything through.
RATELIMIT = {
    "token": _number("RATELIMIT_TOKEN", 20, least=0, most=1_000_000),
    "state": _number("RATELIMIT_STATE", 30, least=0, most=1_000_000),
    "moderation": _number("RATELIMIT_MODERATION", 20, least=0, most=1_000_000),
    "read": _number("RATELIMIT_READ", 100, least=0, most=1_000_000),
    # Attempts to sign in to /admin/ from one address, per 5 minutes; five times as many with one
    # name.
    "login": _number("RATELIMIT_LOGIN", 10, least=0, most=1_000_000),
}

CELERY_BEAT_SCHEDULE = {
    "probe-servers": {
        "task": "regions.tasks.probe_servers",
        "schedule": VOICE_PROBE_INTERVAL,
        # Not behind the sweeps, which a dead server can hold up.
        "options": {"queue": "now", "expires": VOICE_PROBE_INTERVAL},
    },
    "settle-due-rooms": {
        "task": "voice.tasks.settle_due_rooms",
        "schedule": 1.0,
        "options": {"queue": "now", "expires": 5},
    },
    "sweep": {
        "task": "voice.tasks.sweep",
        "schedule": VOICE_SWEEP_INTERVAL,
        "options": {"queue": "sweep", "expires": VOICE_SWEEP_INTERVAL},
    },
    "tidy": {
        "task": "voice.tasks.tidy",
        "schedule": min(VOICE_SWEEP_INTERVAL, 5.0),
        "options": {"queue": "sweep", "expires": VOICE_SWEEP_INTERVAL},
    },
}

# --- The API -----------------------------------------------------------------------------------
# Our own limits are lower, and answer in the envelope.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["fluxer.authentication.UserAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["fluxer.authentication.IsCaller"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["fluxer.requests.BoundedJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "fluxer.requests.AlwaysJSON",
    "DEFAULT_THROTTLE_CLASSES": ["fluxer.throttling.WindowThrottle"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "fluxer.schema.FluxerSchema",
    "EXCEPTION_HANDLER": "fluxer.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
    "STRICT_JSON": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Fluxer voice",
    "DESCRIPTION": "The voice control plane: who may be in which room, on which LiveKit server.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "PATH_CONVERTER_OVERRIDES": {
        "snowflake": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,18})$"},
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "fluxer.logs.RequestIdFilter"},
        "outage": {"()": "fluxer.outages.Outage"},
    },
    "formatters": {
        "line": {"()": "fluxer.logs.LineFormatter"},
        "json": {"()": "fluxer.logs.JSONFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["request_id"],
        },
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # What these say, the access log and fluxer.errors have said already.
        "django.request": {"level": "CRITICAL"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "celery.app.trace": {"level": "WARNING", "filters": ["outage"]},
        "psycopg.pool": {"filters": ["outage"]},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.worker.request": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING", "filters": ["outage"]},
    },
}
