from django.contrib.admin.apps import AdminConfig


class StaffConfig(AdminConfig):
    default_site = "fluxer.sign_in.StaffSite"

    def ready(self) -> None:
        super().ready()
        from fluxer.staff import accounts, history  # noqa: F401
