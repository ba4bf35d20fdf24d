"""What the synthetic papers are about: words for factors, endpoints and units of three diseases."""

from typing import Any

THEMES: list[dict[str, Any]] = [
    {
        "disease": "cutaneous melanoma",
        "factors": {
            "sex": ("Sex", ["women", "men"]),
            "stage": ("Stage", ["stage I", "stage II", "stage III"]),
            "site": ("Primary site", ["head and neck", "trunk", "arm", "leg"]),
            "nodal": ("Nodal disease", ["nodal disease", "no nodal disease"]),
            "matted": ("Matted nodes", ["matted nodes", "no matted nodes"]),
            "braf": ("BRAF", ["mutated", "wild type"]),
        },
        "binary": [("remission", "Remission"), ("fever", "Fever")],
        "times": [("relapse_free_survival", "Relapse-free survival"), ("overall_survival", "Overall survival")],
        "unit": "months",
    },
    {
        "disease": "chronic heart failure",
        "factors": {
            "diabetes": ("Diabetes", ["diabetes", "no diabetes"]),
            "nyha": ("NYHA class", ["class II", "class III", "class IV"]),
            "centre": ("Centre", ["north", "south", "east", "west"]),
            "kidney": ("Kidney disease", ["kidney disease", "normal kidneys"]),
            "dialysis": ("Dialysis", ["dialysis", "no dialysis"]),
            "troponin": ("Troponin", ["raised", "normal"]),
        },
        "binary": [("recovery", "Recovery of ejection fraction"), ("hypotension", "Symptomatic hypotension")],
        "times": [("readmission", "Time to readmission"), ("death", "Survival")],
        "unit": "weeks",
    },
    {
        "disease": "follicular lymphoma",
        "factors": {
            "age_group": ("Age group", ["60 and over", "under 60"]),
            "flipi": ("FLIPI risk", ["low", "intermediate", "high"]),
            "regimen": ("Regimen", ["A", "B", "C", "D"]),
            "bulky": ("Bulky disease", ["bulky", "not bulky"]),
            "mediastinal": ("Mediastinal bulk", ["mediastinal", "elsewhere or none"]),
            "marker": ("Marker", ["positive", "negative"]),
        },
        "binary": [("response", "Response"), ("infection", "Grade 3 infection")],
        "times": [("next_treatment", "Time to next treatment"), ("survival", "Overall survival")],
        "unit": "years",
    },
]
