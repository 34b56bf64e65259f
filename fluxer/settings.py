"""Every setting, read from the environment (or `*_FILE`); what is missing fails in a sentence."""

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

BASE_DIR = Path(__file__).resolve().parent.parent


class _Files(FileAwareMapping):
    """`NAME_FILE` for `NAME`, without the newline that editors and `echo` put at its end."""

    def __getitem__(self, key: str) -> str:
        return str(super().__getitem__(key)).strip()


class _Env(environ.FileAwareEnv):
    ENVIRON = _Files()


env = _Env()
env.read_env(BASE_DIR / ".env", overwrite=False)


def _required(name: str, hint: str) -> str:
    value = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: {hint}")
    return value


def _seconds(name: str, default: float, *, least: float = 1) -> float:
    value = env.float(name, default=default)
    if not least <= value <= 86400:
        raise ImproperlyConfigured(f"{name} must be between {least:g} and 86400 seconds.")
    return value


# --- The process -------------------------------------------------------------------------------
DEBUG = False
SECRET_KEY = _required("DJANGO_SECRET_KEY", "give it 50 random characters.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_ALLOW_HEADERS = [
    "accept", "authorization", "content-type", "x-request-id", "x-audit-log-reason",
]  # fmt: skip
CORS_EXPOSE_HEADERS = ["X-Request-ID", "Retry-After"]
CORS_PREFLIGHT_MAX_AGE = 3600
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
PORT = env.int("PORT", default=8000)
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
LOG_FORMAT = env.str("LOG_FORMAT", default="line").lower()
if LOG_FORMAT not in ("line", "json"):
    raise ImproperlyConfigured("LOG_FORMAT must be line or json.")

INSTALLED_APPS = [
    "django.contrib.admin",
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
_HTTPS = env.bool("HTTPS_ONLY", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _HTTPS
SECURE_HSTS_SECONDS = 31536000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", r"^webhooks/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None

# --- PostgreSQL: the truth ---------------------------------------------------------------------
_required("DATABASE_URL", "postgres://user:password@host:5432/name")
DATABASES: dict[str, dict[str, Any]] = {"default": env.db("DATABASE_URL")}
_DATABASE = DATABASES["default"]
if not _DATABASE["ENGINE"].endswith("postgresql"):
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database (postgres://…).")
_DATABASE["ATOMIC_REQUESTS"] = False
_DATABASE["CONN_HEALTH_CHECKS"] = True
_DATABASE["DISABLE_SERVER_SIDE_CURSORS"] = True
_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=16)
_DATABASE.setdefault("OPTIONS", {}).update(
    {
        # A frozen holder must not stop its room: a timeout is a 503 with Retry-After.
        "options": "-c lock_timeout=2000 -c statement_timeout=5000"
        " -c idle_in_transaction_session_timeout=10000 -c jit=off",
        "connect_timeout": 3,
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
REDIS_URL = _required("REDIS_URL", "redis://host:6379/0")
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
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
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
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_TASK_DEFAULT_QUEUE = "now"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TIMEZONE = "UTC"

# --- Who is calling ----------------------------------------------------------------------------
FIELD_KEYS = env.list("FIELD_KEYS", default=[])
FLUXER_AUTH_JWT_KEY = env.str("FLUXER_AUTH_JWT_KEY", default="")
FLUXER_AUTH_JWKS_URL = env.str("FLUXER_AUTH_JWKS_URL", default="")
FLUXER_AUTH_ISSUER = env.str("FLUXER_AUTH_ISSUER", default="")
FLUXER_AUTH_AUDIENCE = env.str("FLUXER_AUTH_AUDIENCE", default="")
FLUXER_SERVICE_TOKEN = env.list("FLUXER_SERVICE_TOKEN", default=[])
FLUXER_DEMO = env.bool("FLUXER_DEMO", default=False)
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
LIVEKIT_ALLOWED_HOSTS = env.list("LIVEKIT_ALLOWED_HOSTS", default=[])

# Requests of one user per 10 seconds; 0 lets everything through.
RATELIMIT = {
    "token": env.int("RATELIMIT_TOKEN", default=20),
    "state": env.int("RATELIMIT_STATE", default=30),
    "moderation": env.int("RATELIMIT_MODERATION", default=20),
    "read": env.int("RATELIMIT_READ", default=100),
}

CELERY_BEAT_SCHEDULE = {
    "probe-servers": {
        "task": "regions.tasks.probe_servers",
        "schedule": VOICE_PROBE_INTERVAL,
        "options": {"queue": "sweep", "expires": VOICE_PROBE_INTERVAL},
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
    "filters": {"request_id": {"()": "fluxer.logs.RequestIdFilter"}},
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
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
