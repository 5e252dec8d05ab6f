"""A trained model, used: sampling, latent spaces, style transfer, resynthesis,
export."""
