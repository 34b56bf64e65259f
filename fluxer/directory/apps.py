from django.apps import AppConfig


class DirectoryConfig(AppConfig):
    name = "fluxer.directory"
    label = "directory"
    verbose_name = "Directory"
