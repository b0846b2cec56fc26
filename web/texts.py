"""Every text of the pages, in English and French.

Floor 5. One table, so that a text missing in a language is found by a test and not by a reader.
Fields in braces are filled in by the page; the templates escape the result.
"""

from __future__ import annotations

from typing import Final

from graph.analysis.wording import keep_spaces
from web.texts_linked import LINKED

#: Languages of the pages, the first where nothing better is asked.
LANGUAGES: Final = ("en", "fr")
#: Each language's own name.
NAMES: Final = {"en": "English", "fr": "Français"}

#: Text by key: English, French.
TEXTS: Final[dict[str, tuple[str, str]]] = {
    "site.title": ("Rhizome", "Rhizome"),
    "site.subtitle": (
        "The plant innovation ecosystem as a graph",
        "L’écosystème de l’innovation végétale sous forme de graphe",
    ),
    "site.skip": ("Skip to the content", "Aller au contenu"),
    "site.languages": ("Language", "Langue"),
    "site.menu": ("Main menu", "Menu principal"),
    "menu.report": ("Report", "Rapport"),
    "menu.graphql": ("GraphQL", "GraphQL"),
    "menu.sparql": ("SPARQL", "SPARQL"),
    "menu.data": ("Data", "Données"),
    "foot.revision": ("Data at revision {revision}", "Données à la révision {revision}"),
    "foot.starting": ("The service is starting", "Le service démarre"),
    "foot.licences": ("CC BY 4.0 and others", "CC BY 4.0 et autres"),
    "foot.software": ("Rhizome {version}", "Rhizome {version}"),
    "home.title": (
        "Who works with whom in plant innovation",
        "Qui travaille avec qui dans l’innovation végétale",
    ),
    "home.lead": (
        "Rhizome gathers what public sources say about the clusters, networks, agreements, labels "
        "and projects of the plant sector, links it, and lets you question it. Every tie names "
        "the source that states it.",
        "Rhizome rassemble ce que les sources publiques disent des pôles, réseaux, accords, "
        "labels et projets du végétal, le relie et vous permet de l’interroger. Chaque lien cite "
        "la source qui l’affirme.",
    ),
    "home.report": ("Read the network report", "Lire le rapport sur le réseau"),
    "home.ask": ("Ask a question", "Poser une question"),
    "home.state": (
        "Revision {revision}: {quads} statements from {sources} sources",
        "Révision {revision} : {quads} énoncés issus de {sources} sources",
    ),
    "home.changed": ("last changed on {date}", "dernière modification le {date}"),
    "home.counts": ("What is in the graph", "Ce que contient le graphe"),
    "home.things": ("Organisations, places, things", "Organisations, lieux, objets"),
    "home.ties": ("Ties and facts, with their sources", "Liens et faits, avec leurs sources"),
    "home.empty": (
        "The graph is empty. Load data with “python server.py load FILE”.",
        "Le graphe est vide. Chargez des données avec « python server.py load FICHIER ».",
    ),
    "home.count": ("Number", "Nombre"),
    "home.class": ("Class", "Classe"),
    "home.ways": ("Ways in", "Points d’entrée"),
    "home.report.text": (
        "Who connects the network, what would fall apart without whom, and how sure that is: "
        "centralities with their method, figures and limits.",
        "Qui relie le réseau, ce qui se déferait sans qui, et avec quelle certitude : centralités, "
        "avec méthode, chiffres et limites.",
    ),
    "home.graphql.text": (
        "Ask for exactly the fields you need, with sources and evidence beside each answer.",
        "Demandez exactement les champs voulus, avec sources et preuves à côté de chaque réponse.",
    ),
    "home.sparql.text": (
        "The query language of the semantic web, over all statements and their sources.",
        "Le langage de requête du web sémantique, sur tous les énoncés et leurs sources.",
    ),
    "home.export.text": (
        "The whole dataset, one named graph per source, to take away and check.",
        "Le jeu de données entier, un graphe nommé par source, à emporter et à vérifier.",
    ),
    "home.ontology.text": (
        "The vocabulary and the shapes that the data keeps to, and the types made from them.",
        "Le vocabulaire et les formes que les données respectent, et les types qui en découlent.",
    ),
    "home.export": ("Data export", "Export des données"),
    "home.ontology": ("Ontology and schema", "Ontologie et schéma"),
    "home.sdl": ("GraphQL schema", "Schéma GraphQL"),
    "home.open": ("Open", "Ouvrir"),
    "home.reading": ("How to read it", "Comment le lire"),
    "home.reading.status": (
        "Each tie is stated by a source, inferred, or disputed; it says which.",
        "Chaque lien est affirmé par une source, déduit ou contesté, et dit lequel.",
    ),
    "home.reading.clash": (
        "Where sources contradict each other, all their words stand side by side.",
        "Là où les sources se contredisent, leurs propos figurent côte à côte.",
    ),
    "home.reading.gaps": (
        "What is not known is left unknown: a stated count stands beside the names that are known.",
        "L’inconnu reste inconnu : un nombre annoncé figure à côté des noms connus.",
    ),
    "home.reading.revision": (
        "Every answer names the revision of the data that it was made from, so that it can be "
        "cited and checked.",
        "Chaque réponse nomme la révision des données dont elle est issue : on peut la citer et "
        "la vérifier.",
    ),
    "home.terms": ("Licence and citation", "Licence et citation"),
    "home.licence": (
        "The compilation is published under CC BY 4.0; what a source states that names a licence "
        "of its own is under that one; short quotations from sources remain their authors’. The "
        "software is free under the Apache licence 2.0.",
        "La compilation est publiée sous CC BY 4.0 ; ce qu’affirme une source qui indique sa "
        "propre licence est sous celle-ci ; les courtes citations restent à leurs auteurs. Le "
        "logiciel est libre, sous licence Apache 2.0.",
    ),
    "home.attribution": (
        "All sources with their licences",
        "Toutes les sources avec leurs licences",
    ),
    "home.cite": ("How to cite", "Comment citer"),
    "home.citation": (
        "Rhizome: a knowledge graph of the plant innovation ecosystem. Version {version}, "
        "revision {revision} of {date}. Dataset hash {hash}.",
        "Rhizome : graphe de connaissances de l’écosystème de l’innovation végétale. "
        "Version {version}, révision {revision} du {date}. Empreinte des données {hash}.",
    ),
    "graphql.lead": (
        "Ask for what you need of the graph in one request; every tie can name its sources.",
        "Demandez en une requête ce qu’il vous faut du graphe ; chaque lien peut citer ses "
        "sources.",
    ),
    "graphql.query": ("Query", "Requête"),
    "graphql.variables": ("Variables (JSON)", "Variables (JSON)"),
    "graphql.run": ("Run", "Exécuter"),
    "graphql.try": ("Ask this", "Poser cette question"),
    "graphql.answer": ("Answer", "Réponse"),
    "graphql.questions": ("Worked questions", "Questions toutes prêtes"),
    "graphql.tools": (
        "Tools send POST requests with JSON to this address. The schema:",
        "Les outils envoient des requêtes POST en JSON à cette adresse. Le schéma :",
    ),
    "sparql.lead": (
        "Ask all statements and their sources in the query language of the semantic web.",
        "Interrogez tous les énoncés et leurs sources dans le langage du web sémantique.",
    ),
    "sparql.query": ("Query", "Requête"),
    "sparql.run": ("Run", "Exécuter"),
    "sparql.try": ("Ask this", "Poser cette question"),
    "sparql.answer": ("Answer", "Réponse"),
    "sparql.yes": ("Yes", "Oui"),
    "sparql.no": ("No", "Non"),
    "sparql.empty": ("No row: nothing in the graph fits.", "Aucune ligne : rien ne correspond."),
    "sparql.rows": ("{rows} rows.", "{rows} lignes."),
    "sparql.truncated": (
        "There are more: this page shows the first ones, the files below hold up to 10,000.",
        "Il y en a d’autres : cette page montre les premières, les fichiers ci-dessous en "
        "contiennent jusqu’à 10 000.",
    ),
    "sparql.questions": ("Worked questions", "Questions toutes prêtes"),
    "sparql.prefixes": ("Prefixes to copy", "Préfixes à copier"),
    "sparql.graphs": (
        "Without FROM, a statement counts once, however many sources make it. Each source is a "
        "named graph: GRAPH ?source { … } asks who states what.",
        "Sans FROM, un énoncé compte une fois, quel que soit le nombre de ses sources. Chaque "
        "source est un graphe nommé : GRAPH ?source { … } demande qui affirme quoi.",
    ),
    "errors.title": ("Errors and their codes", "Les erreurs et leurs codes"),
    "errors.lead": (
        "An answer that is an error names one of these codes, and holds these fields besides.",
        "Une réponse d’erreur porte l’un de ces codes, et contient en outre ces champs.",
    ),
    "errors.code": ("Code", "Code"),
    "errors.status": ("HTTP status", "Statut HTTP"),
    "errors.meaning": ("Meaning (in English)", "Signification (en anglais)"),
    "errors.fields": ("Fields", "Champs"),
    "errors.retry": ("ask again later", "à redemander plus tard"),
    "error.title": ("This did not work", "Cela n’a pas fonctionné"),
    "error.code": ("Error {status}", "Erreur {status}"),
    "error.home": ("Go to the home page", "Aller à la page d’accueil"),
    **LINKED,
}


def read_text(key: str, language: str, **fields: object) -> str:
    """Return a text in a language of `LANGUAGES`, its fields filled in."""
    text = keep_spaces(TEXTS[key][LANGUAGES.index(language)], language)
    return text.format(**fields) if fields else text


def write_number(value: int, language: str) -> str:
    """Return a whole number with its thousands grouped as the language does.

    Examples
    --------
    >>> write_number(12345, "en")
    '12,345'
    """
    text = f"{value:,}"
    # French groups with a narrow no-break space.
    return text.replace(",", "\u202f") if language == "fr" else text


def write_date(date: str, language: str) -> str:
    """Return an ISO date in words.

    Examples
    --------
    >>> write_date("2026-11-22T10:00:00Z", "fr")
    '22 novembre 2026'
    """
    year, month, day = (int(part) for part in date[:10].split("-"))
    name = _MONTHS[month - 1][LANGUAGES.index(language)]
    if language == "fr" and day == 1:
        return f"1er {name} {year}"
    return f"{day} {name} {year}"


_MONTHS: Final = (
    ("January", "janvier"),
    ("February", "février"),
    ("March", "mars"),
    ("April", "avril"),
    ("May", "mai"),
    ("June", "juin"),
    ("July", "juillet"),
    ("August", "août"),
    ("September", "septembre"),
    ("October", "octobre"),
    ("November", "novembre"),
    ("December", "décembre"),
)
