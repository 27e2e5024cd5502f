"""The config as the gateway uses it: which deployments answer to a model's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from nightmail.config.checks import problems_of, warnings_of
from nightmail.config.document import ConfigDocument, ModelEntry, read_document
from nightmail.config.entry import aws_keys_of, base_of, key_of, to_deployment
from nightmail.config.model_names import STAR, match_pattern
from nightmail.config.references import is_reference, name_of, written_key
from nightmail.config.values import OnDeadline
from nightmail.config.yaml_text import read_yaml
from nightmail.deployment import Deployment
from nightmail.errors import InvalidConfig, NotFound
from nightmail.provider_names import split_model

ANY = "any"  # the provider of a `*` that names none
_LONGEST_NAME = 256
_COMMA = ","
_NO_MODELS = "This gateway has no models yet: put a config.yaml with a model_list into its bucket."


@dataclass(frozen=True)
class GatewayConfig:
    """A valid config; `warnings` names what in it has no effect or lies in the wrong place."""

    document: ConfigDocument
    warnings: tuple[str, ...] = ()

    def deployments(self, name: str, hint: str | None = None) -> list[Deployment]:
        """Who answers to the model `name`, in the order of the config.

        `hint` is another model's name: LiteLLM's way to choose an entry that serves the same model
        of the provider. Where it names none such it is ignored. Raises NotFound.
        """
        found = self._hinted(name, hint) if hint else []
        found = found or self._find(name)
        if not found:
            advice = "" if self.document.model_list else f" {_NO_MODELS}"
            raise NotFound(
                f"The model '{name[:_LONGEST_NAME]}' does not exist or you do not have access to it."
                f"{advice}",
                param="model",
                code="model_not_found",
            )
        return found

    def model_names(self) -> list[str]:
        """What a caller may ask for: names and patterns in the order of the config, then aliases."""
        names = [entry.model_name for entry in self.document.model_list]
        aliases = self.document.router_settings.model_group_alias.items()
        return list(dict.fromkeys(names + [name for name, to in aliases if not to.hidden]))

    def fallbacks(self, name: str) -> list[str]:
        """Which models to ask, in this order, where the model `name` fails. LiteLLM's `*` is for all
        that have none of their own.
        """
        alias = self.document.router_settings.model_group_alias.get(name)
        for wanted in (name, alias.model if alias else name, STAR):
            if wanted in self._fallbacks:
                return [each for each in self._fallbacks[wanted] if each != name]
        return []

    def provider_of(self, name: str) -> str:
        """Who answers to a name, or to a pattern of the config. Raises NotFound."""
        if name in self._entries:
            params = self._entries[name][0].litellm_params
            provider, _ = split_model(params.model, params.custom_llm_provider) or (ANY, "")
            return provider
        return self.deployments(name)[0].provider

    @property
    def master_key(self) -> str | None:
        """The key of `general_settings`, or a reference to it."""
        secret = self.document.general_settings.master_key
        return secret.get_secret_value() if secret else None

    @property
    def strict(self) -> bool:
        """Whether a file is of one model and endpoint, where a create does not say."""
        return self.document.nightmail_settings.strict

    @property
    def on_deadline(self) -> OnDeadline:
        """What becomes of lines that are still owed near the end, where a create does not say."""
        return self.document.nightmail_settings.on_deadline

    @property
    def environment_variables(self) -> dict[str, str]:
        return self.document.environment_variables

    def key_written_as(self, reference: str) -> str | None:
        """The key that is written out in the config under this reference."""
        return self._written_keys.get(reference)

    def references(self) -> Iterator[str]:
        """Every `os.environ/NAME` that something acts on."""
        values = [self.master_key]
        for entry in self.document.model_list:
            params = entry.litellm_params
            # `*` alone may turn out to be any provider, OpenAI too.
            provider, _ = split_model(params.model, params.custom_llm_provider) or ("openai", "")
            values += [base_of(params, provider), params.organization, key_of(entry, provider)]
            values += [params.api_version, params.aws_region_name, *aws_keys_of(entry).values()]
        return (value for value in values if value and is_reference(value))

    @cached_property
    def _written_keys(self) -> dict[str, str]:
        keys = [
            (entry.model_name, key)
            for entry in self.document.model_list
            for key in entry.litellm_params.secrets.values()
        ]
        return {written_key(name, key): key for name, key in keys if not is_reference(key)}

    @cached_property
    def _fallbacks(self) -> dict[str, list[str]]:
        """Of each name; the router's go before LiteLLM's own, and earlier ones before later."""
        sections = (self.document.litellm_settings, self.document.router_settings)
        found: dict[str, list[str]] = {}
        for entry in (entry for section in sections for entry in reversed(section.fallbacks)):
            found |= entry
        return found

    @cached_property
    def _entries(self) -> dict[str, list[ModelEntry]]:
        entries: dict[str, list[ModelEntry]] = {}
        for entry in self.document.model_list:
            entries.setdefault(entry.model_name, []).append(entry)
        return entries

    @cached_property
    def _patterns(self) -> list[str]:
        """The longest is the most particular, so it comes first."""
        return sorted((name for name in self._entries if STAR in name), key=len, reverse=True)

    def _hinted(self, name: str, hint: str) -> list[Deployment]:
        return [
            found.model_copy(update={"name": name})
            for found in self._find(hint)
            if name in {found.model, f"{found.provider}/{found.model}"}
        ]

    def _find(self, name: str) -> list[Deployment]:
        alias = self.document.router_settings.model_group_alias.get(name)
        wanted = alias.model if alias else name
        if STAR in wanted or len(wanted) > _LONGEST_NAME:
            return []
        if wanted in self._entries:
            return self._made(name, wanted, ())
        if _COMMA in wanted:  # several names, which a `*` would take for one
            return []
        for pattern in self._patterns:
            parts = match_pattern(pattern, wanted)
            if parts is not None:
                return self._made(name, pattern, parts)
        return []

    def _made(self, name: str, entry_name: str, parts: tuple[str, ...]) -> list[Deployment]:
        entries = self._entries[entry_name]
        made = (to_deployment(name, entry, parts, self.document) for entry in entries)
        return [deployment for deployment in made if deployment]


def parse_config(text: str | bytes) -> GatewayConfig:
    """A config.yaml's text.

    Raises InvalidConfig with one line for each wrong key: its path, and what is wrong with it.
    """
    document = read_document(read_yaml(text))
    problems = list(problems_of(document))
    if problems:
        raise InvalidConfig("\n".join(problems))
    return GatewayConfig(document, tuple(warnings_of(document)))


def referenced_names(config: GatewayConfig) -> list[str]:
    """The NAMEs of every `os.environ/NAME` that something acts on, each once."""
    return list(dict.fromkeys(name_of(reference) for reference in config.references()))
