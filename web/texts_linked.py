"""The texts of the pages of entities, of the ontology and of the questions.

Floor 5. They are part of the one table in `web/texts.py`.
"""

from __future__ import annotations

from typing import Final

#: Text by key: English, French.
LINKED: Final[dict[str, tuple[str, str]]] = {
    "menu.questions": ("Questions", "Questions"),
    "home.questions": ("Questions with answers", "Questions et réponses"),
    "home.questions.text": (
        "What people of the field ask, answered from the graph: choose, change what it is about, "
        "take the table away.",
        "Ce que demandent les gens du domaine, avec la réponse du graphe : choisissez, changez le "
        "sujet, emportez le tableau.",
    ),
    "home.examples": ("Look at one thing", "Voir un objet"),
    "home.examples.text": (
        "Each cluster, network, agreement or project has a page of its own, with the source of "
        "each fact.",
        "Chaque pôle, réseau, accord ou projet a sa page, avec la source de chaque fait.",
    ),
    "home.read": ("Read it", "La lire"),
    "home.void": ("What it holds (VoID)", "Ce qu’il contient (VoID)"),
    "entity.facts": ("Facts", "Faits"),
    "entity.names": ("Names and words", "Noms et textes"),
    "entity.ties": ("Ties", "Liens"),
    "entity.figures": ("Figures", "Chiffres"),
    "entity.grounds": ("Status and evidence", "Statut et preuves"),
    "entity.others": ("Named by", "Cité par"),
    "entity.differ": ("Sources differ", "Les sources divergent"),
    "entity.differ.text": (
        "They contradict each other on: {fields}. All their words stand side by side below; the "
        "first is that of the source ranked highest.",
        "Elles se contredisent sur : {fields}. Leurs propos figurent tous ci-dessous, côte à "
        "côte ; le premier est celui de la source du rang le plus élevé.",
    ),
    "entity.answers": ("ranked first", "rang le plus élevé"),
    "entity.otherwise": ("also stated", "aussi affirmé"),
    "entity.missing": ("What is not known", "Ce qui n’est pas connu"),
    "entity.missing.text": (
        "{known} of the {expected} things expected here are known. No source in the graph states:",
        "{known} des {expected} éléments attendus ici sont connus. Aucune source du graphe "
        "n’indique :",
    ),
    "entity.complete": (
        "All {expected} things expected of such an entry are stated. What is not listed above is "
        "not known: it may exist all the same.",
        "Les {expected} éléments attendus d’une telle fiche sont indiqués. Ce qui ne figure pas "
        "ci-dessus n’est pas connu : cela peut exister malgré tout.",
    ),
    "entity.unlisted": (
        "Lists hold what sources name, and may be incomplete.",
        "Les listes contiennent ce que les sources nomment et peuvent être incomplètes.",
    ),
    "entity.sources": ("Sources", "Sources"),
    "entity.source": ("Source", "Source"),
    "entity.retrieved": ("read on {date}", "consultée le {date}"),
    "entity.source.of": (
        "This source makes {statements} statements in the graph.",
        "Cette source est à l’origine de {statements} énoncés du graphe.",
    ),
    "entity.source.graph": ("All its statements", "Tous ses énoncés"),
    "entity.part": ("{first} to {last} of {total}", "{first} à {last} sur {total}"),
    "entity.next": ("Next", "Suite"),
    "entity.previous": ("Back", "Précédents"),
    "entity.whole": ("The whole page of {name}", "Toute la page de {name}"),
    "entity.data": ("This entry as data", "Cette fiche en données"),
    "entity.iri": ("Its permanent name", "Son nom permanent"),
    "entity.ask": ("Ask about it in SPARQL", "L’interroger en SPARQL"),
    "entity.cite": (
        "{name}. In: Rhizome, revision {revision}. {iri}",
        "{name}. Dans : Rhizome, révision {revision}. {iri}",
    ),
    "entity.thing": ("Thing", "Objet"),
    "ontology.title": ("Ontology", "Ontologie"),
    "ontology.version": ("Version {version}, CC BY 4.0", "Version {version}, CC BY 4.0"),
    "ontology.files": ("All files", "Tous les fichiers"),
    "ontology.files.text": (
        "The vocabulary, the shapes that data must keep to, the lists of values, the mappings to "
        "other vocabularies, and the JSON-LD context.",
        "Le vocabulaire, les formes que les données respectent, les listes de valeurs, les "
        "correspondances avec d’autres vocabulaires et le contexte JSON-LD.",
    ),
    "ontology.prefixes": ("Prefixes", "Préfixes"),
    "ontology.classes": ("Classes", "Classes"),
    "ontology.properties": ("Properties", "Propriétés"),
    "ontology.abstract": ("abstract", "abstraite"),
    "ontology.computed": ("computed by the service", "calculée par le service"),
    "ontology.parents": ("a kind of", "sorte de"),
    "ontology.children": ("kinds", "sortes"),
    "ontology.field": ("Field", "Champ"),
    "ontology.property": ("Property", "Propriété"),
    "ontology.values": ("Values", "Valeurs"),
    "ontology.meaning": ("Meaning", "Sens"),
    "ontology.inverse": ("read from the other end", "lu depuis l’autre bout"),
    "ontology.many": ("several", "plusieurs"),
    "ontology.required": ("always there", "toujours présent"),
    "ontology.of": ("Used by", "Employée par"),
    "ontology.text": ("text in a language", "texte dans une langue"),
    "ontology.date": (
        "date as written, with its first and last day",
        "date telle qu’écrite, avec son premier et son dernier jour",
    ),
    "ontology.link": ("link out of the graph", "lien hors du graphe"),
    "ontology.enum": ("one of", "parmi"),
    "ontology.thing": ("any thing", "tout objet"),
    "questions.lead": (
        "What people of the field ask. Each question is asked anew when you open it; its answer "
        "says on which sources it rests.",
        "Ce que demandent les gens du domaine. Chaque question est posée à nouveau quand vous "
        "l’ouvrez, et sa réponse dit sur quelles sources elle repose.",
    ),
    "questions.token": ("Needs an access token.", "Demande un jeton d’accès."),
    "questions.ask": ("Ask", "Demander"),
    "questions.row": ("1 row.", "1 ligne."),
    "questions.shown": (
        "The first {rows} are shown, the files hold them all.",
        "Les {rows} premières sont affichées, les fichiers les contiennent toutes.",
    ),
    "questions.cut": (
        "The answer was cut: there is more than one request may ask.",
        "La réponse a été coupée : il y a plus qu’une requête ne peut demander.",
    ),
    "questions.unknown": ("not known", "inconnu"),
    "questions.write": (
        "This question checks a batch of data before it is recorded. It goes to /graphql by POST, "
        "with an access token of the scope “write”; its document stands below.",
        "Cette question contrôle un lot de données avant enregistrement. Elle s’envoie par POST à "
        "/graphql avec un jeton d’accès de portée « write » ; son document figure ci-dessous.",
    ),
    "questions.scopes": (
        "This question needs an access token with the scope: {scopes}. Ask it by program, with the "
        "token in the header Authorization.",
        "Cette question demande un jeton d’accès de portée : {scopes}. Posez-la par programme, le "
        "jeton dans l’en-tête Authorization.",
    ),
    "questions.elsewhere": ("Take it away", "L’emporter"),
    "questions.shell": ("On the command line:", "En ligne de commande :"),
    "questions.open": ("Open it in the form", "L’ouvrir dans le formulaire"),
    "error.like": ("Perhaps you meant", "Vouliez-vous dire"),
}
