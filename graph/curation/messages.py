"""What the gate says of data that it refuses, in English and French.

Floor 2. One table; a message is chosen by its key and filled with plain fields. Messages of the
shapes themselves stand in the ontology and are not repeated here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFAULT_LANGUAGE: Final = "en"

MESSAGES: Final[Mapping[str, tuple[str, str]]] = {
    # terms
    "relativeIri": ("not an absolute IRI", "n'est pas un IRI absolu"),
    "brokenIri": (
        "not a well-formed IRI: see its host, port, brackets and % signs",
        "n'est pas un IRI bien formé : voir hôte, port, crochets et signes %",
    ),
    "iriLength": (
        "the IRI has {actual} bytes; at most {limit} are taken",
        "l'IRI a {actual} octets ; {limit} au plus sont acceptés",
    ),
    "iriScheme": (
        "addresses that begin with {scheme}: are not taken",
        "les adresses qui commencent par {scheme}: ne sont pas acceptées",
    ),
    "predicateIri": ("a predicate must be an IRI", "un prédicat doit être un IRI"),
    "graphIri": ("a graph must be named by an IRI", "un graphe doit être nommé par un IRI"),
    "unknownTerm": (
        "triple terms and text directions are not taken",
        "les termes triples et les sens d'écriture ne sont pas acceptés",
    ),
    "literalLength": (
        "the text has {actual} bytes; at most {limit} are taken",
        "le texte a {actual} octets ; {limit} au plus sont acceptés",
    ),
    "controlCharacter": (
        "the text holds the control character U+{code}",
        "le texte contient le caractère de contrôle U+{code}",
    ),
    "surrogate": (
        "the text is not Unicode (half of a surrogate pair)",
        "le texte n'est pas de l'Unicode (moitié d'une paire de substitution)",
    ),
    "emptyText": (
        "a text that is empty says nothing; leave it out",
        "un texte vide ne dit rien ; omettez-le",
    ),
    "languageTag": (
        "{tag!r} is not a language tag (such as en, fr or de-at)",
        "{tag!r} n'est pas une étiquette de langue (comme en, fr ou de-at)",
    ),
    "numberLength": (
        "the number has {actual} characters; at most {limit} are taken",
        "le nombre a {actual} caractères ; {limit} au plus sont acceptés",
    ),
    "lexicalForm": (
        "not a valid {datatype} (such as {example})",
        "n'est pas une valeur {datatype} valide (comme {example})",
    ),
    "coreDatatype": (
        "the datatype {datatype} is not taken; use one of {known}",
        "le type {datatype} n'est pas accepté ; utiliser l'un de {known}",
    ),
    # graphs and blank nodes
    "noGraph": (
        "the statement stands in no named graph: say whose statement it is with --graph IRI",
        "l'énoncé n'est dans aucun graphe nommé : dire de quelle source il vient avec --graph IRI",
    ),
    "computedGraph": (
        "{graph} is written by reports alone",
        "{graph} n'est écrit que par les rapports",
    ),
    "computedClass": (
        "a {name} is computed by the service: nobody states it",
        "l'objet {name} est calculé par le service : personne ne l'énonce",
    ),
    "reservedGraph": (
        "the graph {graph} belongs to the ontology or the store and cannot be written",
        "le graphe {graph} appartient à l'ontologie ou à la base et ne peut pas être écrit",
    ),
    "seedGraph": (
        "the graph {graph} comes with the seeds and is read-only: state the correction in a "
        "source of your own",
        "le graphe {graph} vient des données initiales et est en lecture seule : énoncer la "
        "correction dans une source à soi",
    ),
    "aboveToken": (
        "a source cannot be made {level}: whoever asks may not read that level",
        "une source ne peut pas devenir {level} : ce niveau n'est pas lisible par le demandeur",
    ),
    "hiddenTies": (
        "something that you may not read rests on what this would take away or change: nothing "
        "was changed; whoever runs the service can see what it is",
        "quelque chose qui n'est pas lisible ici repose sur ce qui serait retiré ou changé : rien "
        "n'a été changé ; l'exploitant du service peut voir de quoi il s'agit",
    ),
    "computedPublic": (
        "{graph} holds what was computed on public data, and is public",
        "{graph} contient ce qui a été calculé sur des données publiques, et est public",
    ),
    "entangled": (
        "the blank nodes point at each other in too many ways: give them IRIs",
        "les nœuds anonymes se désignent entre eux de trop de façons : leur donner des IRI",
    ),
    "moreViolations": (
        "there is more: only the first {count} are told",
        "il y en a d'autres : seuls les {count} premiers sont donnés",
    ),
    "moreWarnings": ("and {count} warnings more", "et {count} avertissements de plus"),
    # what a mutation asks for
    "kindOfValue": (
        "{given} is given where {expected} is needed",
        "{given} est donné là où il faut {expected}",
    ),
    "oneValue": ("takes one value, not a list", "admet une valeur, pas une liste"),
    "edtf": (
        "is not a date in EDTF, such as {examples}",
        "n'est pas une date EDTF, comme {examples}",
    ),
    "newIri": (
        "{iri} cannot name a new {kind}: use {base}{part}/ and letters, digits, dots and hyphens, "
        "or an address of another site",
        "{iri} ne peut pas nommer une nouvelle entité {kind} : utiliser {base}{part}/ puis "
        "lettres, chiffres, points et traits d'union, ou une adresse d'un autre site",
    ),
    "relationIri": (
        "the identifier of a {kind} follows from those who take part: it is {iri}; leave it out",
        "l'identifiant d'une entité {kind} découle des participants : c'est {iri} ; "
        "ne pas le donner",
    ),
    "identityFixed": (
        "names the relation and cannot change: delete it and create another",
        "identifie la relation et ne peut pas changer : la supprimer et en créer une autre",
    ),
    "existsAlready": (
        "{iri} is there already: update it, or give another identifier",
        "{iri} existe déjà : le modifier, ou donner un autre identifiant",
    ),
    "noSuchEntity": ("there is no {kind} {iri}", "{iri} n'existe pas parmi : {kind}"),
    "notStated": (
        "this source states nothing of {iri}: nothing to delete",
        "cette source n'énonce rien sur {iri} : rien à supprimer",
    ),
    "referred": (
        "others refer to {iri}, and no other source gives it a class: {referrers}",
        "d'autres renvoient à {iri}, et aucune autre source ne lui donne de classe : {referrers}",
    ),
    "noSuchSource": (
        "there is no source {iri}: give `create` with its title to begin it",
        "la source {iri} n'existe pas : donner `create` avec son titre pour la commencer",
    ),
    # classes and fields
    "noType": (
        "has statements but no class: add its rdf:type",
        "a des énoncés mais pas de classe : ajouter son rdf:type",
    ),
    "unknownClass": (
        "{term} is not a class of the model{hint}",
        "{term} n'est pas une classe du modèle{hint}",
    ),
    "abstractClass": (
        "{term} has no instances of its own: name the class more exactly, such as {known}",
        "{term} n'a pas d'instances propres : préciser la classe, par exemple {known}",
    ),
    "unknownField": (
        "{term} is not a field of {classes}{hint}",
        "{term} n'est pas un champ de {classes}{hint}",
    ),
    "typeNotIri": ("a class must be an IRI", "une classe doit être un IRI"),
    "hint": ("; did you mean {known}?", " ; vouliez-vous dire {known} ?"),
    # constraints of SHACL, for shapes without a message of their own
    "minCount": (
        "needs at least {limit} value(s), has {actual}",
        "demande au moins {limit} valeur(s), en a {actual}",
    ),
    "maxCount": (
        "takes at most {limit} value(s) from one source, has {actual}",
        "admet au plus {limit} valeur(s) par source, en a {actual}",
    ),
    "datatype": ("should be {limit}", "devrait être {limit}"),
    "class": ("should be a {limit}", "devrait être de la classe {limit}"),
    "nodeKind": ("should be of kind {limit}", "devrait être de la sorte {limit}"),
    "in": ("should be one of {limit}", "devrait être l'une de {limit}"),
    "pattern": ("should match {limit}", "devrait correspondre à {limit}"),
    "minLength": ("needs at least {limit} characters", "demande au moins {limit} caractères"),
    "maxLength": ("takes at most {limit} characters", "admet au plus {limit} caractères"),
    "minInclusive": ("should be at least {limit}", "devrait être au moins {limit}"),
    "maxInclusive": ("should be at most {limit}", "devrait être au plus {limit}"),
    "uniqueLang": (
        "has more than one text in language {actual} from one source",
        "a plus d'un texte en langue {actual} pour une même source",
    ),
    "hasValue": ("should have the value {limit}", "devrait avoir la valeur {limit}"),
    "node": ("does not fit the shape {limit}", "ne correspond pas à la forme {limit}"),
    "sparql": ("breaks the rule {limit}", "enfreint la règle {limit}"),
}


def say(key: str, language: str = DEFAULT_LANGUAGE, **fields: object) -> str:
    """Return a message in English or French; other languages get English.

    Examples
    --------
    >>> say("minCount", "fr", limit=1, actual=0)
    'demande au moins 1 valeur(s), en a 0'
    """
    english, french = MESSAGES[key]
    return (french if language == "fr" else english).format(**fields)
