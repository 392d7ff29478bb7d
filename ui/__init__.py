"""What a person sees: Streamlit pages over the same studio as the API."""
