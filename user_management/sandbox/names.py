"""The words that people and organizations of the sandbox are made of."""

from random import Random
from typing import Final

FIRST: Final = """
Ada Aiko Aisha Alan Alba Alejandro Ali Alice Amara Amina Ana Anders Andrea Anika Anna Antonio Arjun Astrid Aya Ayşe
Bao Beatriz Ben Bianca Björn Bruno Camila Carlos Carmen Caroline Cem Chen Chiara Chloe Clara Daniel Daria David Deniz
Diego Dmitri Ebba Eduardo Elena Elif Elin Emeka Emil Emma Enzo Erik Esther Eva Fatima Felix Femi Fernanda Finn Fiona
Francesca Frida Gabriel Giulia Grace Greta Gustav Hana Hannah Hassan Helena Henrik Hiro Hugo Ibrahim Ida Imani Ines
Ingrid Irina Isabel Isak Ivan Jack James Jana Jasmin Javier Jia Joana João John Jonas Jorge José Joy Julia Jun Kaito
Karim Karin Katarzyna Kenji Kofi Lars Laura Layla Lea Leon Li Liam Lina Linh Lucas Lucía Luis Magda Maja Malik Manuel
Marcelina Marco Maria Marie Marta Mateo Matilda Maya Mehmet Mei Mia Miguel Mika Milan Min Mira Mohammed Nadia Naomi
Nia Niko Nils Noah Nora Nuno Olga Oliver Olivia Omar Oscar Otto Pablo Paola Paul Pedro Petra Priya Rafael Rahul Ravi
Rosa Ruth Samira Samuel Sara Sean Sofia Stefan Sven Tariq Theo Thomas Tomás Uma Vera Victor Wei Yara Yuki Zara Zoe
""".split()
LAST: Final = """
Abe Acosta Adeyemi Ahmed Almeida Andersen Andersson Aydin Bauer Becker Berg Bianchi Björk Blanc Bose Brown Byrne
Campbell Carvalho Castillo Chen Choi Clark Cohen Costa Cruz Dahl Davis Demir Diallo Díaz Doyle Dubois Duarte Eriksen
Evans Farah Fernández Ferrari Ferreira Fischer Flores Fontaine Foster García Gomez González Gupta Haddad Hall Hansen
Haas Hernández Hoffmann Hughes Ibrahim Ito Ivanov Jackson Jansen Jensen Johansson Jones Joshi Kaya Keller Khan Kim
Klein Kowalski Kumar Larsen Laurent Lee Lehmann Li Lindberg Liu Lopez Lund Maier Marino Martin Martínez Mehta Mendes
Meyer Mora Moreau Moretti Mori Müller Murphy Nakamura Nguyen Nielsen Novak O'Brien Okafor Olsen Ortiz Osei Park Patel
Pereira Petrov Popescu Quinn Ramírez Rao Reyes Ricci Rivera Roberts Rossi Roux Ryan Saito Sánchez Santos Sato Schmidt
Schneider Schulz Sharma Silva Singh Smith Sokolov Sousa Suzuki Svensson Takahashi Tanaka Taylor Thompson Torres Tran
Usman Varga Vega Virtanen Vogel Wagner Walker Wang Weber Williams Wilson Wolf Wong Wright Wu Yamada Yilmaz Young Zhang
""".split()
ADJECTIVES: Final = """
Amber Arctic Blue Bold Bright Calm Cedar Clear Cobalt Copper Coral Crimson Crystal Distant Early Eastern Ember Fair
First Fleet Golden Grand Granite Green Hidden Honest Iron Ivory Keen Kind Lunar Maple Marble Mellow Modern Noble
Northern Open Pacific Prime Quiet Rapid Red Royal Silent Silver Solar Southern Steady Stone Summit True Urban Velvet
Vivid Western White Wild Winter
""".split()
NOUNS: Final = """
Anchor Arrow Bakery Bank Beacon Bridge Canyon Capital Charter Clinic Cloud Compass Data Dental Design Dynamics Energy
Farm Field Finance Foods Forge Freight Games Garden Gallery Grid Harbor Health Hotel Insurance Journal Kitchen Labs
Legal Library Logic Logistics Market Media Mill Motors Networks Observatory Optics Orchard Paper Pharma Pictures Press
Rail Realty Records Robotics School Security Shipping Software Space Studio Supply Systems Textiles Tools Transit
Travel University Ventures Water Works
""".split()
SUFFIXES: Final = ("", "", " GmbH", " Inc", " Ltd", " Group", " AB", " SA", " & Co")
LOCALES: Final = (None, None, "en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "pt-BR", "sv-SE", "ja-JP")
MAILBOXES: Final = ("mail.example", "post.example", "inbox.example", "letters.example")
DEPARTMENTS: Final = ("Engineering", "Finance", "Legal", "Marketing", "Operations", "People", "Sales", "Support")
ZONES: Final = ("America/New_York", "America/Sao_Paulo", "Asia/Tokyo", "Europe/Berlin", "Europe/Lisbon", "UTC")
_ASCII: Final = str.maketrans("áãäåçéèíñóöşúüÁÖÜ", "aaaaceeinoosuuAOU", "'")


def address(first: str, last: str, number: int, domain: str) -> str:
    """An e-mail address in lower-case ASCII; the number tells apart people of one name."""
    tail = f".{number}" if number else ""
    return f"{first}.{last}{tail}@{domain}".translate(_ASCII).lower()


def company(random: Random) -> tuple[str, str]:
    """The name of an organization and the stem of its domain."""
    adjective, noun = random.choice(ADJECTIVES), random.choice(NOUNS)
    return f"{adjective} {noun}{random.choice(SUFFIXES)}", f"{adjective}{noun}".lower()
