"""The words for the values of closed lists, in English and French.

Floor 5. The data has the literals of the shapes (`letterOfIntent`); pages say what they mean. A
test keeps every literal of the model in this table.
"""

from __future__ import annotations

from typing import Final

from schema.naming import enum_value_name
from web.texts import LANGUAGES

#: Words by literal: English, French.
VALUES: Final[dict[str, tuple[str, str]]] = {
    "open": ("open", "ouvert"),
    "matched": ("matched", "apparié"),
    "closed": ("closed", "clos"),
    "merger": ("merger", "fusion"),
    "rename": ("change of name", "changement de nom"),
    "split": ("split", "scission"),
    "dissolution": ("dissolution", "dissolution"),
    "takeover": ("takeover", "reprise"),
    "partnership": ("partnership", "partenariat"),
    "strategicPartnership": ("strategic partnership", "partenariat stratégique"),
    "agreement": ("agreement", "accord"),
    "letterOfIntent": ("letter of intent", "lettre d’intention"),
    "pact": ("pact", "pacte"),
    "mission": ("mission", "mission"),
    "knowledgeTransfer": ("transfer of knowledge", "transfert de connaissances"),
    "jointEvent": ("joint event", "événement commun"),
    "jointOffice": ("joint office", "bureau commun"),
    "other": ("other", "autre"),
    "offers": ("offers", "offre"),
    "seeks": ("seeks", "cherche"),
    "membership": ("membership", "adhésion"),
    "memorandum": ("memorandum", "protocole d’accord"),
    "project": ("project", "projet"),
    "betweenness": ("betweenness", "intermédiarité"),
    "degree": ("degree", "degré"),
    "strength": ("strength", "force"),
    "closeness": ("closeness", "proximité"),
    "harmonic": ("harmonic closeness", "proximité harmonique"),
    "eigenvector": ("eigenvector", "vecteur propre"),
    "pageRank": ("PageRank", "PageRank"),
    "coreNumber": ("core number", "indice de cœur"),
    "one-mode": ("one-mode", "un seul mode"),
    "two-mode": ("two-mode", "deux modes"),
    "coordinator": ("coordinator", "coordinateur"),
    "partner": ("partner", "partenaire"),
    "participant": ("participant", "participant"),
    "thirdParty": ("third party", "tiers"),
    "associatedPartner": ("associated partner", "partenaire associé"),
    "default": ("all ties", "tous les liens"),
    "memberships": ("memberships", "adhésions"),
    "agreements": ("agreements", "accords"),
    "projects": ("projects", "projets"),
    "exact": ("exact", "exact"),
    "about": ("about", "environ"),
    "atLeast": ("at least", "au moins"),
    "atMost": ("at most", "au plus"),
    "none": ("none", "aucune"),
    "tacit": ("tacit", "tacite"),
    "explicit": ("explicit", "expresse"),
    "unknown": ("unknown", "inconnue"),
    "minPartners": ("least number of partners", "nombre minimal de partenaires"),
    "maxPartners": ("largest number of partners", "nombre maximal de partenaires"),
    "minCountries": ("least number of countries", "nombre minimal de pays"),
    "minRegions": ("least number of regions", "nombre minimal de régions"),
    "requiredType": ("required kind of organisation", "type d’organisation requis"),
    "requiredCountryGroup": ("required group of countries", "groupe de pays requis"),
    "requiredLabel": ("required label", "label requis"),
    "coordinatorType": ("kind of coordinator", "type de coordinateur"),
    "registration": ("registration", "enregistrement"),
    "seat": ("seat", "siège"),
    "branch": ("branch", "antenne"),
    "office": ("office", "bureau"),
    "facility": ("facility", "installation"),
    "webPage": ("web page", "page web"),
    "newsArticle": ("news article", "article de presse"),
    "document": ("document", "document"),
    "dataset": ("dataset", "jeu de données"),
    "user": ("user", "utilisateur"),
    "analysis": ("analysis", "analyse"),
    "stated": ("stated", "affirmé"),
    "inferred": ("inferred", "déduit"),
    "disputed": ("disputed", "contesté"),
    "public": ("public", "public"),
    "restricted": ("restricted", "restreint"),
    "fold": ("folded into the successor", "réunis au successeur"),
    "keep": ("kept apart", "gardés séparés"),
    "count": ("", ""),
    "euro": ("euros", "euros"),
    "danishKrone": ("Danish kroner", "couronnes danoises"),
    "romanianLeu": ("Romanian lei", "lei roumains"),
    "percent": ("%", "%"),
    "squareKilometre": ("km²", "km²"),
    "month": ("months", "mois"),
    "hour": ("hours", "heures"),
    "newman": ("Newman", "Newman"),
    "unit": ("unit weight", "poids unitaire"),
}


def value_word(literal: str, language: str) -> str:
    """Return the word for a value of a closed list; the literal where there is none.

    Examples
    --------
    >>> value_word("letterOfIntent", "fr")
    'lettre d’intention'
    """
    words = VALUES.get(literal)
    return literal if words is None else words[LANGUAGES.index(language)]


def enum_word(name: str, language: str) -> str:
    """Return the word for a value as GraphQL names it.

    Examples
    --------
    >>> enum_word("LETTER_OF_INTENT", "en")
    'letter of intent'
    """
    return value_word(_LITERALS.get(name, name), language)


_LITERALS: Final = {enum_value_name(literal): literal for literal in VALUES}
